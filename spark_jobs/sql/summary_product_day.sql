with windows as (
    select
        *,
        sum(mean * count) over product_window
            / sum(if(mean is null, 0, count)) over product_window as middle
    from gold.device_day
    where window_start >= :start
        and window_start < :end
    window product_window as (partition by tenant, window_start, product, metric)
)
select
    tenant,
    window_start,
    product,
    metric,
    count(distinct if(count > 0, device_full, null)) as devices,
    sum(count) as count,
    sum(sum) as sum,
    min(min) as min,
    max(max) as max,
    any_value(middle) as mean,
    if(sum(count) > 1, sqrt(sum(m2 + count * power(mean - middle, 2)) / (sum(count) - 1)), null)
        as stddev,
    trunc(to_date(window_start), 'MM') as window_period
from windows
group by tenant, window_start, product, metric
