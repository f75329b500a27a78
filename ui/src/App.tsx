import { Center, Loader } from "@mantine/core";
import { lazy, type ReactNode, Suspense } from "react";
import { Navigate, Route, Routes, useLocation } from "react-router";
import { Missing } from "./pages/Missing";
import { useSession } from "./session";
import { Shell } from "./shell/Shell";

const Home = lazy(() => import("./pages/Home"));
const ModelApp = lazy(() => import("./pages/ModelApp"));
const Overview = lazy(() => import("./pages/overview/Overview"));
const SignIn = lazy(() => import("./pages/SignIn"));

/** The pages by their addresses; each is a chunk of its own. */
export function App() {
  return (
    <Shell>
      <Suspense fallback={<Waiting />}>
        <Routes>
          <Route path="/sign-in" element={<SignIn />} />
          <Route path="/" element={<Allowed page={<Home />} />} />
          <Route path="/overview" element={<Allowed page={<Overview />} />} />
          <Route path="/apps/:name" element={<Allowed page={<ModelApp />} />} />
          <Route path="/apps/:name/:view" element={<Allowed page={<ModelApp />} />} />
          <Route path="*" element={<Missing />} />
        </Routes>
      </Suspense>
    </Shell>
  );
}

/** A page for those who may see it; others are asked for a key first. */
function Allowed({ page }: { page: ReactNode }) {
  const { session } = useSession();
  const { pathname, hash } = useLocation();
  if (!session) return <Waiting />;
  if (session.needs_key && !session.principal) {
    return <Navigate to={`/sign-in?next=${encodeURIComponent(pathname + hash)}`} replace />;
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
