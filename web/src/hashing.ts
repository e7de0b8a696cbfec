/** SHA-256 of files in a worker, one after another. */
import HashWorker from "./worker.ts?worker&inline";

type Told = { done?: number; sha256?: string; problem?: boolean };

/** Hash a file; `progress` gets the bytes read so far. Rejects if the file can't be read. */
export function sha256Of(file: File, progress: (bytes: number) => void): Promise<string> {
  const worker = new HashWorker();
  return new Promise<string>((resolve, reject) => {
    worker.onerror = () => reject(new Error(file.name));
    worker.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data.done !== undefined) progress(data.done);
      else if (data.sha256) resolve(data.sha256);
      else reject(new Error(file.name));
    };
    worker.postMessage(file);
  }).finally(() => worker.terminate());
}
