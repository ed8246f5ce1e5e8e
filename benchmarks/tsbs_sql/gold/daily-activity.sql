-- How much of each day the trucks of each fleet and model are in service: their readings of status in
-- ten minutes of a mean below 1, of the 144 such times of a day.
with active as (
    select device_full, cast(to_unixtime(window_start) as bigint) / 600 as ten_minutes,
        sum("count") as readings
    from gold.device_five_minutes
    where metric = 'status'
    group by device_full, cast(to_unixtime(window_start) as bigint) / 600
    having sum("sum") / sum("count") < 1
)
select d.zone, d.product, s.ten_minutes / 144 as day, sum(s.readings) / 144e0 as activity
from active s
join dim.devices d on d.device_full = s.device_full and d.valid_to is null
group by d.zone, d.product, s.ten_minutes / 144
