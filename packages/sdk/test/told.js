// All that a report of a bundle says, in the words that both implementations have (tests/support/bundle_evidence.py).
export function told({ outcome, checks }) {
  const of = (name, row) => checks.filter((check) => check[name]).map((check) => row(check[name], check.record ?? ""));
  const all = {
    // what witnesses say stands below, and is a check here if it fails
    checks: checks.filter(({ name, verdict }) => name !== "witness" || verdict === "fail").map(({ name, verdict, record }) => [name, verdict, record ?? ""]),
    witnesses: of("time", ({ standing, notAfter }, record) => [record, standing, notAfter ?? 0]),
    renewals: of("renewal", (it, record) => [record, it.id, it.times.toSorted(), it.same, it.different, it.leftOut, it.retractedAt]),
    claims: of("claim", ({ account, group, scheme, identifier }) => [account, group, scheme, identifier]),
  };
  // by code points, as Python sorts
  const text = (row) => JSON.stringify(row);
  for (const rows of Object.values(all)) rows.sort((a, b) => (text(a) < text(b) ? -1 : 1));
  return { outcome, ...all };
}
