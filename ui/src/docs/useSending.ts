import { useCallback, useEffect, useRef, useState } from "react";
import { send as sendTo } from "../api/client";
import { type Got, receive } from "./receive";
import type { Body, Request } from "./request";

/** How far a request has come. */
export type Phase =
  | { kind: "idle" }
  | { kind: "running"; got?: Got }
  | { kind: "done"; got: Got }
  | { kind: "cancelled"; got?: Got | undefined }
  | { kind: "failed" };

/** Sends one request at a time; leaving the page takes it back, as `cancel` does. */
export function useSending(): {
  phase: Phase;
  send: (request: Request, key: string) => Promise<void>;
  cancel: () => void;
  /** Forget what was answered. */
  reset: () => void;
} {
  const [phase, setPhase] = useState<Phase>({ kind: "idle" });
  const running = useRef<AbortController>(null);
  useEffect(() => () => running.current?.abort(), []);

  const send = useCallback(async (request: Request, key: string) => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    setPhase({ kind: "running" });
    let got: Got | undefined;
    try {
      const startedMs = performance.now();
      const init = { ...written(request), signal: control.signal };
      const response = await sendTo(request.path, init, key);
      const whole = await receive(response, startedMs, (part) => {
        got = part;
        setPhase({ kind: "running", got: part });
      });
      if (running.current === control) setPhase({ kind: "done", got: whole });
    } catch {
      if (running.current !== control) return; // a later one has taken its place
      setPhase(control.signal.aborted ? { kind: "cancelled", got } : { kind: "failed" });
    }
  }, []);

  const cancel = () => running.current?.abort();
  return { phase, send, cancel, reset: () => setPhase({ kind: "idle" }) };
}

function written({ method, headers, body }: Request): RequestInit {
  const all = new Headers(headers);
  if (body.kind === "text" || body.kind === "file") all.set("content-type", body.media);
  const sent = content(body);
  return { method, headers: all, ...(sent === null ? {} : { body: sent }) };
}

function content(body: Body): BodyInit | null {
  switch (body.kind) {
    case "none":
      return null;
    case "text":
      return body.text;
    case "file":
      return body.file;
    case "form": {
      const form = new FormData();
      for (const [name, value] of body.parts) form.append(name, value);
      return form;
    }
  }
}
