select t.name, t.driver
from tags t
join readings r on r.tags_id = t.id
where r.time >= '{since}' and r.time < '{until}' and t.fleet = '{fleet}'
group by t.name, t.driver
having avg(r.velocity) < 1
