-- Trucks of a fleet that drove in more than 60 of the 144 times ten minutes of a day.
with driven as (
    select device_full, cast(to_unixtime(window_start) as bigint) / 600 as ten_minutes
    from gold.device_five_minutes
    where metric = 'velocity'
        and window_start >= timestamp '{since}' and window_start < timestamp '{until}'
    group by device_full, cast(to_unixtime(window_start) as bigint) / 600
    having sum("sum") / sum("count") > 1
)
select d.device, d.customer
from driven s
join dim.devices d on d.device_full = s.device_full and d.valid_to is null
where d.zone = '{fleet}'
group by d.device, d.customer
having count(*) > 60
