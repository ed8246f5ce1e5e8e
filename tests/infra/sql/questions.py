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
    "select date_diff('hour', t, u), date_diff('hour', u, t), date_diff('second', t, timestamp"
    " '2026-11-20 09:00:00.400 UTC'), date_diff('month', date '2026-01-31', date '2026-02-28'),"
    " date_diff('day', t, date_trunc('day', u)) from (values (timestamp '2026-11-20 08:59:59.500"
    " UTC', timestamp '2026-11-21 09:01:00 UTC')) as v(t, u)",
    "select t at time zone 'Europe/Berlin', hour(t at time zone 'Europe/Berlin') as h,"
    " date_trunc('day', t at time zone 'Europe/Berlin') as midnight,"
    " t at time zone 'Europe/Berlin' < timestamp '2026-10-25 01:00:00 UTC' as is_before,"
    " cast(t at time zone 'Europe/Berlin' as date), date(t at time zone 'Asia/Kolkata')"
    " from (values timestamp '2026-03-28 23:30:00 UTC', timestamp '2026-10-25 00:30:00 UTC')"
    " as v(t) order by 1",
    "select date_trunc('day', event_time at time zone 'America/New_York') as day, count(*)"
    " from silver.readings group by date_trunc('day', event_time at time zone 'America/New_York')"
    " order by 1",
    "select timestamp '2026-07-01 00:00:00' at time zone 'Europe/Berlin' as u union all"
    " select event_time from silver.readings where seq = 0 order by u",
    "select cast(x as bigint), cast(x as integer), cast(to_unixtime(timestamp '2026-11-21 08:00:30"
    " UTC') / 60 as bigint) from (values 0.5e0, 1.5e0, -2.5e0, 2.4e0) as v(x) order by 1",
    "select cast('7' as bigint), cast(true as integer), cast(2.5 as bigint), cast(seq as integer)"
    " from silver.readings where seq = 3",
    "select millisecond(t), second(t), date_trunc('second', t) from (values timestamp"
    " '2026-11-21 08:00:05.123 UTC') as v(t)",
    "select event_date - interval '1' day, date_trunc('week', event_date) as week,"
    " date_add('month', 1, event_date) as next, count(*) from silver.readings group by 1, 2, 3",
    "select regexp_extract(device_full, 'x'), regexp_extract(device_full, '[a-z]+'),"
    " split_part(device_full, '.', 3), split_part(device_full, '.', 1),"
    " regexp_replace(device_full, '(\\w+)\\.(\\w+)', '$2 of $1'), array_position(array[1], 2),"
    " slice(array[1, 2, 3], 2, 2), slice(array[1, 2, 3], -2, 1), extract(dow from event_time),"
    " day_of_week(event_time) from silver.readings order by seq",
    "select max(event_time) - min(event_time), event_date - date '2026-11-01', event_date -"
    " date '2026-11-01' > interval '3' day from silver.readings group by 2, 3",
    "select format('%s: %.1f of %d (%5.1f%%)', device_full, 2.26e0, seq, 12.34e0)"
    " from silver.readings where seq = 3",
    "select * from gold.device_minute",
    "show tables from silver",
    "show schemas",
    "describe ops.first_use",
)
