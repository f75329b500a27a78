/** An answer that has come, or what of it has come so far. */
export interface Got {
  status: number;
  statusText: string;
  headers: [string, string][];
  /** The media type without its parameters. */
  type: string;
  bytes: Blob;
  /** Null for what is no text. */
  text: string | null;
  tookMs: number;
  isWhole: boolean;
}

/** How often an answer that goes on is shown anew. */
const SHOWN_EVERY_MS = 250;

/** Read an answer to its end; `progress` gets what is there of one that goes on. */
export async function receive(
  response: Response,
  startedMs: number,
  progress: (got: Got) => void,
): Promise<Got> {
  const type = (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const isText = isReadable(type);
  const decoder = new TextDecoder();
  let text = "";
  const soFar = (isWhole: boolean): Got => ({
    status: response.status,
    statusText: response.statusText,
    headers: [...response.headers],
    type,
    bytes: new Blob(chunks, { type }),
    text: isText ? text : null,
    tookMs: performance.now() - startedMs,
    isWhole,
  });
  let shownMs = startedMs;
  const reader = response.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    if (isText) text += decoder.decode(value, { stream: true });
    if (performance.now() - shownMs > SHOWN_EVERY_MS) {
      shownMs = performance.now();
      progress(soFar(false));
    }
  }
  text += decoder.decode();
  return soFar(true);
}

/** Whether a media type is text for people. */
export function isReadable(type: string): boolean {
  return type.startsWith("text/") || /[/+](json|xml|yaml|x-ndjson|javascript)$/.test(type);
}

/** How a file of such an answer is called. */
export function fileName(type: string): string {
  const known: Record<string, string> = {
    "application/json": "json",
    "application/x-npy": "npy",
    "image/jpeg": "jpg",
    "text/csv": "csv",
    "text/html": "html",
    "text/plain": "txt",
  };
  const ending = known[type] ?? (type.startsWith("image/") ? type.slice(6) : "bin");
  return `answer.${ending}`;
}
