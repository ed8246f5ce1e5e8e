with present as (
    select
        hours.tenant,
        hours.window_start,
        coalesce(history.zone, '') as zone,
        hours.product,
        hours.metric,
        count(distinct hours.device_full) as devices
    from gold.device_hour as hours
    left join dim.devices as history
        on history.tenant = hours.tenant
        and history.device_full = hours.device_full
        and history.valid_from < hours.window_end
        and coalesce(history.valid_to > hours.window_start, true)
    where hours.window_start >= :start
        and hours.window_start < :end
        and hours.count > 0
    group by all
),
zones as (
    select
        tenant, window_start, zone, product, metric,
        sum(count) as count,
        sum(sum) as sum,
        min(min) as min,
        max(max) as max,
        sum(mean * count) / sum(case when mean is not null then count end) as mean
    from gold.zone_hour
    where window_start >= :start and window_start < :end
    group by tenant, window_start, zone, product, metric
),
spread as (
    select
        tenant, window_start, zone, product, metric,
        sum(hours.m2 + hours.count * power(hours.mean - zones.mean, 2)) as m2
    from gold.zone_hour as hours
    join zones using (tenant, window_start, zone, product, metric)
    where window_start >= :start and window_start < :end
    group by tenant, window_start, zone, product, metric
)
select
    tenant,
    window_start,
    zone,
    product,
    metric,
    coalesce(present.devices, 0) as devices,
    count,
    sum,
    min,
    max,
    mean,
    case when count > 1 then sqrt(m2 / (count - 1)) end as stddev,
    to_date(window_start) as window_period
from zones
join spread using (tenant, window_start, zone, product, metric)
left join present using (tenant, window_start, zone, product, metric)
