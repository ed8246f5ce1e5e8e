-- How long each truck drives without a stop on the mean, by the day on which the drive began.
with states as (
    select device_full, cast(to_unixtime(window_start) as bigint) / 600 as ten_minutes,
        sum("sum") / sum("count") > 5 as is_driving
    from gold.device_five_minutes
    where metric = 'velocity'
    group by device_full, cast(to_unixtime(window_start) as bigint) / 600
),
steps as (
    select device_full, ten_minutes, is_driving,
        lag(is_driving) over (partition by device_full order by ten_minutes) as was_driving
    from states
),
runs as (
    select device_full, is_driving, ten_minutes as start,
        lead(ten_minutes) over (partition by device_full order by ten_minutes) as stop
    from steps
    where is_driving <> was_driving
)
select d.device, s.start / 144 as day, avg((s.stop - s.start) * 600e0) as seconds
from runs s
join dim.devices d on d.device_full = s.device_full and d.valid_to is null
where s.is_driving
group by d.device, s.start / 144
