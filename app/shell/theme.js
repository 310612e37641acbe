// Sets the theme that was chosen before, ahead of the first paint. Without a choice the system's own setting holds.
{
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // Storage can be forbidden; then the system's setting holds.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
