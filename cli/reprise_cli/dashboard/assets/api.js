// What the page reads, it asks for with the token of its address. Behind the # browsers send it to nobody; it is taken
// from there, out of sight, and remembered for other tabs of this address, port included, alone.

const KEY = "reprise-token";

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given === null) return false;
  localStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname + location.search);
  return true;
}

takeToken();
// An address that differs behind the # only does not load the page again.
addEventListener("hashchange", () => takeToken() && location.reload());

export async function ask(path) {
  const headers = { Authorization: `Bearer ${localStorage.getItem(KEY) ?? ""}` };
  const response = await fetch(path, { headers }).catch(() => {
    throw new Error("The server of this page does not answer.");
  });
  const answer = await response.json();
  if (answer.error) throw new Error(`${answer.error.field}: ${answer.error.message}. ${answer.error.next_step}`);
  return answer;
}
