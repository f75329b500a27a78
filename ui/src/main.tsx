import "./styles";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./App";
import "./i18n";
import { LookProvider } from "./Look";
import { SessionProvider } from "./session";

/** The Content-Security-Policy lets in style elements with this response's nonce only. */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content;
// Windows over the page keep it from scrolling with a style element that no provider knows of.
if (nonce) setNonce(nonce);

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <LookProvider {...(nonce ? { nonce } : {})}>
        <BrowserRouter>
          <SessionProvider>
            <App />
          </SessionProvider>
        </BrowserRouter>
      </LookProvider>
    </StrictMode>,
  );
}
