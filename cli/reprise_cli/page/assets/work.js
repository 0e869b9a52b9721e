// Every page but the dashboard: which one is told by the address.

import { by, fail, startFrame } from "/assets/frame.js";
import { startTheme } from "/assets/theme.js";
import { showCall } from "/assets/call.js";
import { showCalls } from "/assets/calls.js";
import { showJob, showJobs } from "/assets/jobs.js";
import { showLetter, showLetters } from "/assets/letters.js";
import { showPolicy } from "/assets/policy.js";
import { showRunbook, showRunbooks } from "/assets/runbooks.js";

const PAGES = {
  calls: ["Calls", showCalls, showCall],
  letters: ["Dead letters", showLetters, showLetter],
  jobs: ["Jobs", showJobs, showJob],
  policy: ["Policy", showPolicy],
  runbooks: ["Runbooks", showRunbooks, showRunbook],
};

const [, name, ...rest] = location.pathname.split("/");
const id = decodeURIComponent(rest.join("/"));
const [title, all, one] = PAGES[name];

document.title = `Reprise: ${id || title}`;
startTheme(by("theme"), () => {});
try {
  const place = await startFrame();
  await (id ? one(by("main"), place, id) : all(by("main"), place));
} catch (error) {
  fail(error);
}
by("main").setAttribute("aria-busy", "false");
