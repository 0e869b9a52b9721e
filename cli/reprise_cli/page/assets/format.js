// Numbers, durations and instants as people read them.

const SCALES = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];

function plain(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e4) return String(value);
  for (const [scale, sign] of SCALES) {
    if (size >= scale * (scale === 1e3 ? 10 : 1)) return trim(value / scale) + sign;
  }
  return trim(value);
}

function trim(value) {
  const size = Math.abs(value);
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)));
}

export function duration(seconds) {
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  if (size < 1) return `${trim(seconds * 1000)} ms`;
  if (size < 120) return `${trim(seconds)} s`;
  if (size < 7200) return `${trim(seconds / 60)} min`;
  if (size < 172800) return `${trim(seconds / 3600)} h`;
  return `${trim(seconds / 86400)} d`;
}

export function value(number, unit) {
  if (number === null || number === undefined) return "–";
  if (unit === "Seconds") return duration(number);
  if (unit === "Milliseconds") return duration(number / 1000);
  if (unit === "Percent") return `${trim(number)} %`;
  if (unit === "Bytes") return `${plain(number)}B`;
  return plain(number);
}

const two = (number) => String(number).padStart(2, "0");

export function clock(seconds) {
  const at = new Date(seconds * 1000);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
}

export function instant(text) {
  const at = new Date(text);
  const day = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(two).join("-");
  return `${day} ${clock(at.getTime() / 1000)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

export function last(values) {
  return values.findLast((each) => each !== null) ?? null;
}
