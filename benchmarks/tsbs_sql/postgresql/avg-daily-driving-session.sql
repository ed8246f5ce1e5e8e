with states as (
    select tags_id, date_bin('10 minutes', time, '2000-01-01') as ten_minutes,
        avg(velocity) > 5 as is_driving
    from readings
    group by tags_id, ten_minutes
),
steps as (
    select tags_id, ten_minutes, is_driving,
        lag(is_driving) over (partition by tags_id order by ten_minutes) as was_driving
    from states
    where is_driving is not null
),
runs as (
    select tags_id, ten_minutes as start, is_driving,
        lead(ten_minutes) over (partition by tags_id order by ten_minutes) as stop
    from steps
    where is_driving <> was_driving
)
select t.name, extract(epoch from date_bin('1 day', start, '2000-01-01'))::bigint / 86400,
    extract(epoch from avg(stop - start))::float8
from tags t
join runs d on t.id = d.tags_id
where d.is_driving
group by t.name, date_bin('1 day', start, '2000-01-01')
