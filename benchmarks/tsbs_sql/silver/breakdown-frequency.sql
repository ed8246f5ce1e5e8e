-- How often trucks of each model broke down: at least half of the readings of status in ten minutes
-- are not 0, and of those before were.
with states as (
    select device_full, event_time_us / 600000000 as ten_minutes,
        avg(case when value <> 0 then 1e0 else 0e0 end) >= 0.5e0 as is_broken
    from silver.readings
    where metric = 'status'
    group by device_full, event_time_us / 600000000
),
steps as (
    select device_full, is_broken,
        lead(is_broken) over (partition by device_full order by ten_minutes) as breaks
    from states
)
select d.product, count(*) as breakdowns
from steps s
join dim.devices d on d.device_full = s.device_full and d.valid_to is null
where not s.is_broken and s.breaks
group by d.product
