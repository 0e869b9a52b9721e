// What the page reads, it asks for with the token of its address, and what it changes with a second one. Behind the # browsers
// send them to nobody; they are taken from there, out of sight. The first is remembered for other tabs of this address, port
// included, alone; the second stays in the tab that was opened with it.

const KEY = "reprise-token";
const OPERATE = "reprise-operate";

function takeTokens() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.get("token") === null) return false;
  localStorage.setItem(KEY, given.get("token"));
  if (given.get("operate") !== null) sessionStorage.setItem(OPERATE, given.get("operate"));
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

takeTokens();
// An address that differs behind the # only does not load the page again.
addEventListener("hashchange", () => takeTokens() && location.reload());

export function mayOperate() {
  return sessionStorage.getItem(OPERATE) !== null;
}

export async function ask(path) {
  return send(path, { headers: authorization() });
}

export async function act(path, body) {
  const headers = {
    ...authorization(),
    "Content-Type": "application/json",
    "Reprise-Operate": sessionStorage.getItem(OPERATE) ?? "",
  };
  return send(path, { method: "POST", headers, body: JSON.stringify(body) });
}

function authorization() {
  return { Authorization: `Bearer ${localStorage.getItem(KEY) ?? ""}` };
}

async function send(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Error("The server of this page does not answer.");
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.error.field}: ${answer.error.message}. ${answer.error.next_step}`);
  return answer;
}

// Does it again after as many seconds as it returns, or never if that is null; not while nobody looks.
export function repeat(work) {
  let timer = 0;
  let newest = 0;
  const run = async () => {
    clearTimeout(timer);
    const mine = ++newest;
    const wait = await work();
    if (mine !== newest || !wait) return;
    timer = setTimeout(() => {
      if (!document.hidden) run();
      else document.addEventListener("visibilitychange", run, { once: true });
    }, wait * 1000);
  };
  run();
  return run;
}
