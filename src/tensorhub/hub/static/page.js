// What makes the page quicker to use; without it everything still works by links and forms.
(function () {
  "use strict";

  var SEARCH_DELAY_MS = 180; // between key strokes of a fast typist
  var REFRESH_MS = 5000; // background work moves in seconds
  var PENDING_MS = 1500; // adding a store up takes less, unless it is a very large one

  function each(selector, action) {
    Array.prototype.forEach.call(document.querySelectorAll(selector), action);
  }

  // -- light or dark

  function offerThemes() {
    var button = document.querySelector(".theme");
    if (!button) return;
    var root = document.documentElement;
    var dark = window.matchMedia("(prefers-color-scheme: dark)");
    function isDark() {
      return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
    }
    function tell() {
      button.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
      button.title = button.getAttribute("aria-label");
    }
    button.hidden = false;
    button.addEventListener("click", function () {
      var theme = isDark() ? "light" : "dark";
      var isSystems = (theme === "dark") === dark.matches;
      if (isSystems) delete root.dataset.theme;
      else root.dataset.theme = theme;
      try {
        if (isSystems) window.localStorage.removeItem("tensorhub-theme");
        else window.localStorage.setItem("tensorhub-theme", theme);
      } catch (error) {
        // The choice then holds for this page only.
      }
      tell();
    });
    dark.addEventListener("change", tell);
    tell();
  }

  // -- copying commands

  function offerCopies() {
    each(".copyable", function (place) {
      var text = place.querySelector("pre");
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.setAttribute("aria-label", "Copy " + (place.dataset.label || "text"));
      button.addEventListener("click", function () {
        copy(text).then(function (isDone) {
          button.textContent = isDone ? "Copied" : "Select it";
          window.setTimeout(function () { button.textContent = "Copy"; }, 1600);
        });
      });
      place.appendChild(button);
    });
  }

  function copy(element) {
    if (navigator.clipboard && window.isSecureContext) {
      return navigator.clipboard.writeText(element.textContent).then(
        function () { return true; },
        function () { return select(element); }
      );
    }
    return Promise.resolve(select(element));
  }

  function select(element) {
    var range = document.createRange();
    range.selectNodeContents(element);
    var selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    try {
      return document.execCommand("copy");
    } catch (error) {
      return false;
    }
  }

  // -- one command at a time

  function offerTabs() {
    each(".commands", function (group) {
      var panels = Array.prototype.slice.call(group.querySelectorAll(".command"));
      if (panels.length < 2) return;
      var list = document.createElement("div");
      list.className = "switch";
      list.setAttribute("role", "tablist");
      list.setAttribute("aria-label", "Ways to download");
      var buttons = panels.map(function (panel, number) {
        var button = document.createElement("button");
        button.type = "button";
        button.setAttribute("role", "tab");
        button.id = panel.id + "-tab";
        button.setAttribute("aria-controls", panel.id);
        button.textContent = panel.dataset.label;
        panel.setAttribute("role", "tabpanel");
        panel.setAttribute("aria-labelledby", button.id);
        button.addEventListener("click", function () { show(number); });
        button.addEventListener("keydown", function (event) {
          var step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
          if (!step) return;
          event.preventDefault();
          var next = (number + step + panels.length) % panels.length;
          show(next);
          buttons[next].focus();
        });
        list.appendChild(button);
        return button;
      });
      function show(chosen) {
        panels.forEach(function (panel, number) {
          panel.hidden = number !== chosen;
          buttons[number].setAttribute("aria-selected", String(number === chosen));
          buttons[number].tabIndex = number === chosen ? 0 : -1;
        });
      }
      group.insertBefore(list, panels[0]);
      show(0);
    });
  }

  // -- searching while typing

  function offerSearch() {
    each("form[data-results]", function (form) {
      var id = form.dataset.results;
      var timer = 0;
      var asked = 0;
      function ask() {
        var query = new URLSearchParams();
        new FormData(form).forEach(function (value, key) { if (value) query.set(key, value); });
        var address = form.getAttribute("action") + (query.toString() ? "?" + query : "");
        var number = ++asked;
        fetch(address, { headers: { Accept: "text/html" } }).then(function (answer) {
          return answer.ok ? answer.text() : Promise.reject(new Error(String(answer.status)));
        }).then(function (text) {
          if (number !== asked) return;
          replace(id, text);
          window.history.replaceState(null, "", address);
        }).catch(function () {
          if (number === asked) form.submit();
        });
      }
      form.addEventListener("input", function (event) {
        window.clearTimeout(timer);
        timer = window.setTimeout(ask, event.target.type === "search" ? SEARCH_DELAY_MS : 0);
      });
      form.addEventListener("submit", function (event) {
        event.preventDefault();
        window.clearTimeout(timer);
        ask();
      });
    });
  }

  function replace(id, text) {
    var fresh = new DOMParser().parseFromString(text, "text/html").getElementById(id);
    var present = document.getElementById(id);
    if (fresh && present) present.replaceWith(document.adoptNode(fresh));
  }

  // -- background work

  function followWork() {
    var isPending = document.getElementById("pending");
    if (!isPending && !document.querySelector("#work progress")) return;
    window.setTimeout(function () {
      if (document.hidden) return followWork();
      fetch(window.location.href, { headers: { Accept: "text/html" } }).then(function (answer) {
        return answer.text();
      }).then(function (text) {
        replace("overview", text);
        replace("work", text);
      }).catch(function () {}).then(followWork);
    }, isPending ? PENDING_MS : REFRESH_MS);
  }

  // -- menus close when the reader turns elsewhere

  function closeMenus() {
    document.addEventListener("click", function (event) {
      each("details.picker[open]", function (menu) {
        if (!menu.contains(event.target)) menu.open = false;
      });
    });
    document.addEventListener("keydown", function (event) {
      if (event.key !== "Escape") return;
      each("details.picker[open]", function (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    });
  }

  offerThemes();
  offerCopies();
  offerTabs();
  offerSearch();
  followWork();
  closeMenus();
})();
