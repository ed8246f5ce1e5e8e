select t.name, t.driver
from tags t
join (
    select date_bin('10 minutes', time, '2000-01-01') as ten_minutes, tags_id
    from readings
    where time >= '{since}' and time < '{until}'
    group by ten_minutes, tags_id
    having avg(velocity) > 1
) r on t.id = r.tags_id
where t.fleet = '{fleet}'
group by t.name, t.driver
having count(*) > 60
