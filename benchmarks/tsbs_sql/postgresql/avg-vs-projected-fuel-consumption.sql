select t.fleet, avg(r.fuel_consumption), avg(t.nominal_fuel_consumption)
from tags t
join readings r on r.tags_id = t.id
where r.velocity > 1
group by t.fleet
