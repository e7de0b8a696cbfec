/** SHA-256 of files in a worker, one after another. */
import HashWorker from "./worker.ts?worker&inline";

type Told = { done?: number; sha256?: string; problem?: boolean };

/** Hashes files one at a time. `end` gives its worker back. */
export class Hashing {
  readonly #worker = new HashWorker();

  /** Hash a file; `progress` gets the bytes read so far. Rejects if the file can't be read. */
  sha256(file: File, progress: (bytes: number) => void): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      this.#worker.onerror = () => reject(new Error(file.name));
      this.#worker.onmessage = ({ data }: MessageEvent<Told>) => {
        if (data.done !== undefined) progress(data.done);
        else if (data.sha256) resolve(data.sha256);
        else reject(new Error(file.name));
      };
      this.#worker.postMessage(file);
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}
