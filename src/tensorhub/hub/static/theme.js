// Loaded before the page is drawn, so that a theme that the reader chose does not flash up late.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("has-script");
  try {
    var theme = window.localStorage.getItem("tensorhub-theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch (error) {
    // Storage may be forbidden; then the system's theme holds.
  }
})();
