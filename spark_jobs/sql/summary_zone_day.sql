with windows as (
    select
        *,
        sum(mean * count) over zone_window
            / sum(if(mean is null, 0, count)) over zone_window as middle
    from gold.zone_day
    where window_start >= :start
        and window_start < :end
    window zone_window as (partition by tenant, window_start, zone, product, metric)
),
present as (
    select
        device.tenant,
        device.window_start,
        coalesce(history.zone, '') as zone,
        device.product,
        device.metric,
        count(distinct device.device_full) as devices
    from gold.device_day as device
    left join dim.devices as history
        on history.tenant = device.tenant
        and history.device_full = device.device_full
        and history.valid_from < device.window_end
        and coalesce(history.valid_to > device.window_start, true)
    where device.window_start >= :start
        and device.window_start < :end
        and device.count > 0
    group by all
)
select
    tenant,
    window_start,
    zone,
    product,
    metric,
    coalesce(any_value(devices), 0) as devices,
    sum(count) as count,
    sum(sum) as sum,
    min(min) as min,
    max(max) as max,
    any_value(middle) as mean,
    if(sum(count) > 1, sqrt(sum(m2 + count * power(mean - middle, 2)) / (sum(count) - 1)), null)
        as stddev,
    trunc(to_date(window_start), 'MM') as window_period
from windows
left join present using (tenant, window_start, zone, product, metric)
group by tenant, window_start, zone, product, metric
