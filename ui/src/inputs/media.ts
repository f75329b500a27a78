/** Whether the page may ask for a camera and a microphone: browsers hide them without HTTPS. */
export const hasMedia = () => "mediaDevices" in navigator && Boolean(navigator.mediaDevices);

/** Whether sound can be recorded. */
export const hasRecorder = () => hasMedia() && typeof MediaRecorder !== "undefined";

/** The key of the text for why a camera or microphone was not given. */
export function mediaProblem(error: unknown): string {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return "inputs.media.denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "inputs.media.missing";
    case "NotReadableError":
    case "AbortError":
      return "inputs.media.busy";
    default:
      return "inputs.media.failed";
  }
}

/** Give a camera or microphone back. */
export function release(stream: MediaStream | null | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
