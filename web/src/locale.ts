/** A browser without a proper language ("en-US@posix" in some systems) ends uPlot as it loads, and the page with it. */
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en", configurable: true });
}
