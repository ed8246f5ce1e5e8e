"""Queries that both engines must answer alike."""

QUESTIONS = (
    "select count(*), count(value), sum(seq), 7 / 2, 1.50, 'a' from silver.readings",
    "select * from lake.silver.readings order by seq",
    "select zone, device_full, count(*) as n, round(avg(value), 9) as mean, max(seq) / 2 as half"
    " from silver.readings group by zone, device_full order by 1, 2",
    "select date_trunc('minute', event_time) as minute, min(value), max_by(value, event_time)"
    " from silver.readings group by 1 order by 1",
    "select seq, tags['line'], date_diff('second', event_time, received_at), partition, offset"
    " from silver.readings where tags is not null order by seq limit 5",
    "select r.rule, count(*) as n from silver.rejected cross join unnest(reasons)"
    " as r(field, rule, value) group by 1 order by 1",
    "select reasons, reasons[1].rule, message, cardinality(reasons) from silver.rejected"
    " where cardinality(reasons) > 0 order by offset",
    "select offset, cardinality(headers) from bronze.messages order by offset",
    "select count(*) from silver.rejected where any_match(reasons, r -> r.rule = 'type')",
    "select from_utf8(value), json_extract_scalar(from_utf8(value), '$.seq'), headers"
    " from bronze.messages where offset = 0",
    "select count(*) from silver.readings where event_time > timestamp '2026-11-21 08:05:00 UTC'"
    " and event_date = date '2026-11-21'",
    "select event_time + interval '1' minute as later, received_at - event_time < interval '5'"
    " second as soon from silver.readings order by seq limit 2",
    "with last as (select device_full, max(seq) as seq from silver.readings group by 1)"
    " select r.device_full, r.value, coalesce(r.value_text, 'none') from silver.readings r"
    " join last on last.device_full = r.device_full and last.seq = r.seq order by 1",
    "select seq, lag(value) over (partition by device_full order by seq) as before"
    " from silver.readings order by seq limit 4",
    "select approx_distinct(device_full), count_if(value > 1), round(stddev(value), 9),"
    " bool_or(value > 3) from silver.readings",
    "select count_if(value > 1), count_if(value > 1) filter (where seq < 0) from silver.readings"
    " where seq < 0",
    "select nan() as a, infinity() as b, if(1 > 2, 'x', 'y') as c, x'00ff' as d,"
    " cast(null as date)",
    "select value from silver.readings order by value desc nulls first limit 2",
    "select * from gold.device_minute",
    "show tables from silver",
    "show schemas",
    "describe ops.first_use",
)
