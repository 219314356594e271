(() => {
  "use strict";
  const live = document.getElementById("live"), gone = document.getElementById("gone");
  let seen = Date.now(), timer;
  const state = () => live.firstElementChild.dataset;
  const title = () => { document.title = state().title; };
  const show = html => {
    const folded = [...live.querySelectorAll("details:not([open])")].map(section => section.id);
    live.innerHTML = html;
    for (const id of folded) document.getElementById(id)?.removeAttribute("open");
  };
  const judge = () => {
    const old = Date.now() - seen, isOld = old > 3000 + 2000 * state().every;
    document.body.classList.toggle("old", isOld);
    gone.hidden = !isOld;
    if (isOld) gone.textContent = "No answer from the agent for " + Math.round(old / 1000) + " s. What you see is old.";
  };
  const refresh = async () => {
    clearTimeout(timer);
    const abort = new AbortController(), limit = setTimeout(() => abort.abort(), 5000);
    try {
      const answer = await fetch("?fragment", { cache: "no-store", signal: abort.signal });
      if (answer.status === 401) return location.reload();
      if (answer.ok) { show(await answer.text()); seen = Date.now(); title(); }
    } catch { /* judge() says so when it lasts */ }
    clearTimeout(limit);
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(refresh, 1000 * state().every);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  setInterval(judge, 1000);
  title();
  timer = setTimeout(refresh, 1000 * state().every);
})();
