// Runs before the first paint, so that a chosen theme never flashes.
(() => {
  try {
    const theme = JSON.parse(localStorage.getItem("activity-center.theme"));
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // No storage: the system's theme.
  }
})();
