-- Trucks of a fleet whose newest known fuel state is below a tenth.
select d.device, d.customer, l.fuel_state
from (
    select device_full, max_by(value, event_time_us) as fuel_state
    from silver.readings
    where metric = 'fuel_state' and zone = '{fleet}'
    group by device_full
) l
join dim.devices d on d.device_full = l.device_full and d.valid_to is null
where l.fuel_state < 0.1e0
