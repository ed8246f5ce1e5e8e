-- Trucks of a fleet whose newest known fuel state is below a tenth.
select d.device, d.customer, l.fuel_state
from (
    select device_full, max_by("last", window_start) as fuel_state
    from gold.device_five_minutes
    where metric = 'fuel_state'
    group by device_full
) l
join dim.devices d on d.device_full = l.device_full and d.valid_to is null
where d.zone = '{fleet}' and l.fuel_state < 0.1e0
