import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import * as answers from "./answers";
import * as inputs from "./inputs";
import * as names from "./names";
import * as open from "./open";
import * as operate from "./operate";
import * as pages from "./pages";

export const LANGUAGES = { en: "English", zh: "中文" } as const;
export type Language = keyof typeof LANGUAGES;

const KEPT = "modelport-language";

function first(): Language {
  const wanted = [localStorage.getItem(KEPT), ...navigator.languages].map((name) =>
    name?.slice(0, 2).toLowerCase(),
  );
  return (wanted.find((name) => name && name in LANGUAGES) as Language | undefined) ?? "en";
}

function show(language: string): void {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
}

export function setLanguage(language: Language): void {
  localStorage.setItem(KEPT, language);
  void i18next.changeLanguage(language);
}

void i18next.use(initReactI18next).init({
  lng: first(),
  fallbackLng: "en",
  resources: {
    en: {
      translation: {
        ...pages.en,
        ...inputs.en,
        ...answers.en,
        ...names.en,
        ...open.en,
        ...operate.en,
      },
    },
    zh: {
      translation: {
        ...pages.zh,
        ...inputs.zh,
        ...answers.zh,
        ...names.zh,
        ...open.zh,
        ...operate.zh,
      },
    },
  },
  interpolation: { escapeValue: false }, // React escapes
});
show(i18next.language);

/** More texts, for a page that brings its own with it. */
export function addTexts(texts: { en: object; zh: object }): void {
  for (const language of Object.keys(LANGUAGES) as Language[]) {
    i18next.addResourceBundle(language, "translation", texts[language], true);
  }
}
i18next.on("languageChanged", show);
