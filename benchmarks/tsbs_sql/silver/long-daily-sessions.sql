-- Trucks of a fleet that drove in more than 60 of the 144 times ten minutes of a day.
with driven as (
    select device_full, event_time_us / 600000000 as ten_minutes
    from silver.readings
    where metric = 'velocity' and zone = '{fleet}' and event_date = date '{date}'
        and event_time_us >= {start} and event_time_us < {end}
    group by device_full, event_time_us / 600000000
    having avg(value) > 1
)
select d.device, d.customer
from driven s
join dim.devices d on d.device_full = s.device_full and d.valid_to is null
group by d.device, d.customer
having count(*) > 60
