-- How many hours a day each driver drives on the mean.
with driven as (
    select device_full, cast(to_unixtime(window_start) as bigint) / 600 as ten_minutes
    from gold.device_five_minutes
    where metric = 'velocity'
    group by device_full, cast(to_unixtime(window_start) as bigint) / 600
    having sum("sum") / sum("count") > 1
),
days as (
    select device_full, ten_minutes / 144 as day, count(*) / 6e0 as hours
    from driven
    group by device_full, ten_minutes / 144
)
select d.zone, d.device, d.customer, avg(s.hours) as hours
from days s
join dim.devices d on d.device_full = s.device_full and d.valid_to is null
group by d.zone, d.device, d.customer
