// Light, dark, or as the system says; remembered in this browser.

const KEY = "reprise-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

export function startTheme(select, changed) {
  const asked = new URLSearchParams(location.search).get("theme");
  select.value = asked ?? localStorage.getItem(KEY) ?? "auto";
  const apply = () => {
    const isDark = select.value === "dark" || (select.value === "auto" && system.matches);
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    changed();
  };
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

export function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// Okabe and Ito's palette, which colour-blind readers can tell apart; yellow last, as it is faint on white.
// Ours only stand in where the dashboard's body names no colour.
const LIGHT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5A5A5A", "#B8A800"];
const DARK = ["#56B4E9", "#E69F00", "#2BC59B", "#E79BC6", "#F0702A", "#8FB8FF", "#B5B5B5", "#F0E442"];

// The body's own colours, from the same palette, where they would be too dark on a dark ground.
const LIFTED = { "#0072B2": "#56B4E9", "#000000": "#E8E8E8", "#D55E00": "#F0702A", "#009E73": "#2BC59B" };

// Places in the palette for what must not change its colour with its neighbours.
const WORDS = { succeeded: 2, throttled: 3, function_error: 4, transient: 5, unknown: 6, permanent: 1, exhausted: 1, expired: 4 };

export function seriesColor(stated, place, label) {
  const isDark = document.documentElement.dataset.theme === "dark";
  if (stated) return (isDark && LIFTED[stated.toUpperCase()]) || stated;
  const palette = isDark ? DARK : LIGHT;
  const word = label.split(" ").find((each) => each in WORDS);
  return palette[(word ? WORDS[word] : place) % palette.length];
}
