select t.fleet, lower(t.model), extract(epoch from y.day)::bigint / 86400,
    sum(y.readings)::float8 / 144
from tags t
join (
    select date_bin('1 day', time, '2000-01-01') as day,
        date_bin('10 minutes', time, '2000-01-01') as ten_minutes,
        tags_id, count(status) as readings
    from diagnostics
    group by day, ten_minutes, tags_id
    having avg(status) < 1
) y on y.tags_id = t.id
group by t.fleet, t.model, y.day
