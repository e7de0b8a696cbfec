/** Paths inside a manifest or listing. */

/** Return whether every system can keep a path inside a folder: relative, NFC, no control characters or backslashes. */
export function checkPath(path: string): boolean {
  return (
    path.isWellFormed() &&
    !/^[A-Za-z]:/.test(path) &&
    !path.split("/").some((part) => part === "" || part === "." || part === "..") &&
    !/[\x00-\x1f\x7f-\x9f\u2028\u2029\\]/.test(path) &&
    path.normalize("NFC") === path
  );
}
