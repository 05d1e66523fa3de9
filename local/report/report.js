(function () {
  "use strict";
  var figures = JSON.parse(document.getElementById("figures").textContent);
  var config = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false, showTips: false };
  var places = [];

  // On a phone the contents would push the answers off the first screen.
  if (window.matchMedia("(max-width: 68rem)").matches) {
    document.querySelector("details.index").removeAttribute("open");
  }

  Object.keys(figures).forEach(function (name) {
    var place = document.getElementById(name);
    place.textContent = "";
    window.Plotly.newPlot(place, figures[name].data, figures[name].layout, config);
    places.push(place);
  });

  // Paper is narrower than most screens, and printing tells nobody that the page became so.
  window.addEventListener("beforeprint", function () {
    places.forEach(function (place) { window.Plotly.relayout(place, { width: 660 }); });
  });
  window.addEventListener("afterprint", function () {
    places.forEach(function (place) { window.Plotly.relayout(place, { width: null, autosize: true }); });
  });
})();
