/** The model whose page is all that this server shows, as its document says; null: all are shown. */
export const ONLY_APP: string | null = told() || null;

function told(): string | undefined {
  const name = document.querySelector<HTMLMetaElement>('meta[name="only-app"]')?.content;
  return name?.includes("%") ? undefined : name; // Vite's own server puts nothing in its place
}

/** The address of a model's page, or of another view of the model. */
export function appPath(name: string, view?: string): string {
  const base = name === ONLY_APP ? "" : `/apps/${encodeURIComponent(name)}`;
  return view ? `${base}/${view}` : base || "/";
}
