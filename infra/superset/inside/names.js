// Names of zones on the map cover neither one another nor a mark: each stands below its mark, or
// above, to the right or to the left of it. One that has no room there is told under the mouse alone.
(() => {
  const STEP_MS = 250;
  const SLACK = 0.5;

  const box = (left, top, width, height) => ({ left, top, right: left + width, bottom: top + height });

  const meet = (one, other) =>
    one.left + SLACK < other.right && other.left + SLACK < one.right
    && one.top + SLACK < other.bottom && other.top + SLACK < one.bottom;

  const holds = (frame, one) =>
    one.left >= frame.left && one.right <= frame.right
    && one.top >= frame.top && one.bottom <= frame.bottom;

  const placesOf = (mark, { width, height }) => {
    const left = (mark.left + mark.right - width) / 2, top = (mark.top + mark.bottom - height) / 2;
    return [
      box(left, mark.bottom, width, height),
      box(left, mark.top - height, width, height),
      box(mark.right, top, width, height),
      box(mark.left - width, top, width, height),
    ];
  };

  const arrange = (picture, names) => {
    const frame = picture.getBoundingClientRect();
    const marks = new Map(names.map((name) => [name, name.previousElementSibling.getBoundingClientRect()]));
    const taken = [...marks.values()];
    // The larger mark has the more breaches: its name has the choice.
    names.sort((one, other) => marks.get(other).width - marks.get(one).width);
    for (const name of names) {
      Object.assign(name.style, { width: "max-content", margin: "0" });
      const places = placesOf(marks.get(name), name.getBoundingClientRect());
      const place = places.find((one) => holds(frame, one) && !taken.some((other) => meet(one, other)));
      name.style.visibility = place ? "visible" : "hidden";
      if (!place) continue;
      name.style.left = `${place.left - frame.left}px`;
      name.style.top = `${place.top - frame.top}px`;
      taken.push(place);
    }
  };

  const look = () => {
    const all = [...document.querySelectorAll(".zone-name")];
    for (const picture of new Set(all.map((name) => name.parentElement))) {
      const names = all.filter((name) => name.parentElement === picture);
      const size = `${picture.clientWidth} ${picture.clientHeight} ${names.length}`;
      if (!picture.clientWidth || picture.dataset.arranged === size) continue;
      picture.dataset.arranged = size;
      arrange(picture, names);
    }
  };

  setInterval(look, STEP_MS);
})();
