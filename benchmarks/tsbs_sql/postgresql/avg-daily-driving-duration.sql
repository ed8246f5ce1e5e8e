with driven as (
    select date_bin('10 minutes', time, '2000-01-01') as ten_minutes, tags_id
    from readings
    group by tags_id, ten_minutes
    having avg(velocity) > 1
),
days as (
    select date_bin('1 day', ten_minutes, '2000-01-01') as day, tags_id, count(*) / 6.0::float8 as hours
    from driven
    group by day, tags_id
)
select t.fleet, t.name, t.driver, avg(d.hours)
from days d
join tags t on t.id = d.tags_id
group by t.fleet, t.name, t.driver
