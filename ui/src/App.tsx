import { Center, Loader } from "@mantine/core";
import { lazy, type ReactNode, Suspense } from "react";
import { Navigate, Route, Routes, useLocation, useParams } from "react-router";
import type { Session } from "./api/client";
import { ONLY_APP } from "./onlyApp";
import { Boundary } from "./pages/Boundary";
import { Missing } from "./pages/Missing";
import { isStranger, useSession } from "./session";
import { Shell } from "./shell/Shell";

const Docs = lazy(() => import("./pages/Docs"));
const Home = lazy(() => import("./pages/Home"));
const ModelApp = lazy(() => import("./pages/ModelApp"));
const Overview = lazy(() => import("./pages/overview/Overview"));
const SignIn = lazy(() => import("./pages/SignIn"));

/** The pages by their addresses; each is a chunk of its own. */
export function App() {
  return (
    <Shell>
      <Boundary>
        <Suspense fallback={<Waiting />}>
          {ONLY_APP === null ? (
            <Routes>
              <Route path="/sign-in" element={<SignIn />} />
              <Route path="/" element={<Allowed page={<Home />} isOpen={hasOpen} />} />
              <Route path="/overview" element={<Allowed page={<Overview />} />} />
              <Route path="/apps/:name" element={<One />} />
              <Route path="/apps/:name/:view" element={<One />} />
              <Route path="/docs/:group?" element={<Allowed page={<Docs />} />} />
              <Route path="*" element={<Missing />} />
            </Routes>
          ) : (
            <Routes>
              <Route path="/sign-in" element={<SignIn />} />
              <Route path="/" element={<One />} />
              <Route path="/:view" element={<One />} />
              <Route path="*" element={<Missing />} />
            </Routes>
          )}
        </Suspense>
      </Boundary>
    </Shell>
  );
}

/** The list of models has those that are open to everybody, for everybody. */
const hasOpen = (session: Session) => session.public_apps.length > 0;

/** A model's page, which may be open to everybody. */
function One() {
  const { name = ONLY_APP ?? "" } = useParams();
  return <Allowed page={<ModelApp />} isOpen={(session) => session.public_apps.includes(name)} />;
}

/** A page for those who may see it; others are asked for a key first. */
function Allowed(props: { page: ReactNode; isOpen?: (session: Session) => boolean }) {
  const { page, isOpen } = props;
  const { session } = useSession();
  const { pathname, search, hash } = useLocation();
  if (!session) return <Waiting />;
  if (isStranger(session) && !isOpen?.(session)) {
    return (
      <Navigate to={`/sign-in?next=${encodeURIComponent(pathname + search + hash)}`} replace />
    );
  }
  return page;
}

function Waiting() {
  return (
    <Center h="50vh">
      <Loader />
    </Center>
  );
}
