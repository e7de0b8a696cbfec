/** Errors. Each says what was expected, what came, and where it helps what to do. */

/** Input that is not of its form. */
export class InputError extends Error {
  override name = "InputError";
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** A file of a version that this program does not read. */
export class UnknownVersion extends InputError {
  override name = "UnknownVersion";
}

/** No node, or no source, answered. Nothing is said of what was asked. */
export class Unavailable extends Error {
  override name = "Unavailable";
}

/** A bundle that proves nothing. `place` is a path into its JSON, or a byte. */
export class BundleRefused extends Error {
  override name = "BundleRefused";
  readonly place: string;

  constructor(place: string, message: string) {
    super(`${place}: ${message}`);
    this.place = place;
  }

  /** The reason code: the place without numbers and names of blocks (conformance/README.md). */
  get code(): string {
    return this.place.startsWith("byte ") ? "form" : this.place.replace(/\[\d+\]|(?<=^blocks)\..*/gs, "");
  }
}

/** The registry refused a call. `errorName` and `args` are those of its typed error. */
export class Refused extends Error {
  override name = "Refused";
  readonly errorName: string;
  readonly args: readonly unknown[];

  constructor(errorName: string, args: readonly unknown[]) {
    super(`the registry refused it: ${errorName}(${args.map(String).join(", ")})`);
    this.errorName = errorName;
    this.args = args;
  }
}
