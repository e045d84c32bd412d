// Draws logins per second, and how long they took: the last five minutes, a sample each second.
// A sample is [second, successful, refused, not answered, median ms or null, slowest ms or null].
const KEPT = 300;
const PLOTS = {
  rate: { lines: { success: (one) => one[1], refused: (one) => one[2], failed: (one) => one[3] }, stacked: true },
  latency: { lines: { median: (one) => one[4], slowest: (one) => one[5] }, stacked: false },
};
const samples = JSON.parse(document.querySelector(".plots").dataset.samples);

// The least of 1, 2, 5, 10, 20, ... that is not below the value.
function roundUp(value) {
  const size = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return size * [1, 2, 5, 10].find((one) => one * size >= value);
}

const number = (value) => Math.round(value * 100) / 100;
const x = (sample, last) => KEPT - (last - sample[0]);
const y = (value, top) => number(100 - (value / top) * 98);

function stacked(lines, last) {
  const bases = samples.map(() => 0);
  const edges = lines.map(([name, value]) => {
    samples.forEach((one, index) => (bases[index] += value(one)));
    return [name, [...bases]];
  });
  const top = roundUp(Math.max(...bases));
  const paths = edges.map(([name, values]) => {
    const points = values.map((value, index) => `${x(samples[index], last)} ${y(value, top)}`);
    return [name, values.some(Boolean) ? `M${x(samples[0], last)} 100L${points.join("L")}L${KEPT} 100` : ""];
  });
  return { top, paths };
}

// A second in which nobody has logged in has no latency: points are joined across it.
function lined(lines, last) {
  const known = samples.filter((one) => one[4] !== null);
  const top = roundUp(Math.max(1, ...known.flatMap((one) => lines.map(([, value]) => value(one)))));
  const paths = lines.map(([name, value]) => {
    const points = known.map((one) => `${x(one, last)} ${y(value(one), top)}`);
    return [name, points.length ? `M${points.length === 1 ? `${points[0]}h.5` : points.join("L")}` : ""];
  });
  return { top, paths };
}

function draw() {
  const last = samples.at(-1)?.[0] ?? 0;
  for (const [key, plot] of Object.entries(PLOTS)) {
    const figure = document.getElementById(`plot-${key}`);
    const lines = Object.entries(plot.lines);
    const { top, paths } = samples.length ? (plot.stacked ? stacked : lined)(lines, last) : { top: 1, paths: [] };
    figure.querySelector(".top").textContent = top;
    for (const [name, path] of paths) figure.querySelector(`path.${name}`).setAttribute("d", path);
    for (const [name, value] of lines) {
      const now = samples.length ? value(samples.at(-1)) : 0;
      figure.querySelector(`[data-now="${name}"]`).textContent = now === null ? "–" : Math.round(now);
    }
  }
}

addEventListener("sample", ({ detail }) => {
  const last = samples.at(-1)?.[0] ?? 0;
  samples.push(...detail.filter((one) => one[0] > last));
  while (samples.length && samples[0][0] <= samples.at(-1)[0] - KEPT) samples.shift();
  draw();
});
draw();
