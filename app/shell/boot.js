// Starts the frontend, and says what is wrong when it does not start. Addresses are relative to this file, so that a release
// works under any prefix.
import init from "./tollgate.js";

function complain(error) {
  const problem = document.getElementById("boot-problem");
  if (!problem) return;
  const reason = error instanceof Error ? error.message : String(error);
  problem.textContent = `Tollgate could not start: ${reason}. Reload the page; if that does not help, use a current browser and check that nothing between here and the server changes or blocks /pkg/.`;
  problem.hidden = false;
  const shell = document.getElementById("shell");
  shell?.querySelector("main")?.removeAttribute("aria-busy");
  shell?.querySelector(".skeleton")?.remove();
}

try {
  await init({ module_or_path: new URL("./tollgate_bg.wasm", import.meta.url) });
  // The frontend has mounted itself beside the shell by now, in the same turn: nothing is painted in between.
  document.getElementById("shell")?.remove();
} catch (error) {
  complain(error);
  throw error;
}
