import { Component, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "react-router";
import { Trouble } from "./Trouble";

/** In place of what cannot be shown, such as a page whose code does not come, says so. */
export function Boundary({ children }: { children: ReactNode }) {
  const { pathname } = useLocation();
  return <Catching path={pathname}>{children}</Catching>;
}

interface Props {
  /** Another one is given another chance. */
  path: string;
  children: ReactNode;
}

class Catching extends Component<Props, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override componentDidUpdate(before: Props) {
    if (this.state.error && before.path !== this.props.path) this.setState({ error: null });
  }

  override render() {
    return this.state.error ? <Unshown error={this.state.error} /> : this.props.children;
  }
}

function Unshown({ error }: { error: Error }) {
  const { t } = useTranslation();
  // The browser keeps a module that failed as failed, so that the whole page is loaded again.
  return <Trouble error={error} said={t("error.unshown")} retry={() => location.reload()} />;
}
