import { expect, test } from "vitest";
import type { History, ModelTraffic, Overview, TrafficPoint } from "../api/types";
import {
  busiest,
  byTraffic,
  extended,
  type Hour,
  latencyLines,
  modelHour,
  modelLook,
  serverHour,
  serverLook,
  summed,
  versionsIn,
} from "./hour";

const BOUNDS = [0.01, 0.1];
const START = 1000;

function point(at: number, more: Partial<TrafficPoint> = {}): TrafficPoint {
  return { at, requests: 0, errors: 0, rows: 0, latency: [0, 0, 0], waiting: 0, ...more };
}

function history(
  versions: History["versions"],
  steps = 4,
  traffic: History["traffic"] = [],
): History {
  const server = Array.from({ length: steps }, (_, n) => ({
    at: START + 5 * n,
    cpu: 0.5,
    memory_bytes: 100,
    connections: 2,
    waiting: n,
  }));
  return { step_s: 5, bounds_s: BOUNDS, versions, traffic, server };
}

const TWO: History["versions"] = [
  {
    name: "a",
    version: "1",
    points: [point(START, { requests: 10, latency: [10, 0, 0] })],
    memory: [{ at: START + 10, resident_bytes: 7 }],
  },
  {
    name: "a",
    version: "10",
    points: [point(START + 10, { requests: 5, errors: 1, latency: [0, 4, 0] })],
    memory: [
      { at: START - 50, resident_bytes: 3 },
      { at: START + 5, resident_bytes: 4 },
    ],
  },
  { name: "b", version: "1", points: [point(START + 5, { requests: 20 })], memory: [] },
];

test("steps in which nothing happened are zeros, and rates are per second", () => {
  const traffic = [
    point(START, { requests: 10, latency: [10, 0, 0] }),
    point(START + 5, { requests: 20 }),
    point(START + 10, { requests: 5, errors: 1, latency: [0, 4, 0] }),
  ];
  const hour = serverHour(history([], 4, traffic));
  expect(hour.times).toEqual([1000, 1005, 1010, 1015]);
  expect(hour.lines.requests).toEqual([2, 4, 1, 0]);
  expect(hour.lines.errors).toEqual([0, 0, 0.2, 0]);
  expect(hour.lines.waiting).toEqual([0, 1, 2, 3]);
  expect(hour.latency).toEqual([
    [10, 0, 0],
    [0, 0, 0],
    [0, 4, 0],
    [0, 0, 0],
  ]);
});

test("a step of which the server tells nothing is unknown", () => {
  const holed = history([]);
  holed.server.splice(1, 1);
  expect(serverHour(holed).lines.cpu).toEqual([0.5, null, 0.5, 0.5]);
});

test("only the last hour is kept", () => {
  const hour = serverHour(history([], 900));
  expect(hour.times).toHaveLength(720);
  expect(hour.times.at(-1)).toBe(START + 5 * 899);
});

test("a model's hour has the lines of its versions, newest first, and of no other model", () => {
  const hour = modelHour(history(TWO), "a");
  expect(versionsIn(hour)).toEqual(["10", "1"]);
  expect(hour.lines["requests 1"]).toEqual([2, 0, 0, 0]);
  expect(hour.lines["requests 10"]).toEqual([0, 0, 1, 0]);
  expect(hour.lines["p50 1"]?.every((value) => value === 0.005)).toBe(true); // the last minute's
  expect(hour.lines["p50 10"]?.slice(0, 2)).toEqual([null, null]);
});

test("memory holds until it changes, and before the first change too", () => {
  const hour = modelHour(history(TWO), "a");
  expect(hour.lines["memory 1"]).toEqual([7, 7, 7, 7]);
  expect(hour.lines["memory 10"]).toEqual([3, 4, 4, 4]);
});

test("a server that has just started has an empty hour, which goes on all the same", () => {
  const hour = serverHour(history([], 0));
  expect(hour.times).toEqual([]);
  const next = extended(hour, { at: 77, values: { requests: 3 }, latency: [1, 0, 0] });
  expect(next.times).toEqual([77]);
  expect(next.lines.requests).toEqual([3]);
});

const bare: Hour = {
  stepS: 5,
  times: [1000, 1005],
  lines: { requests: [1, 2] },
  latency: [null, [1, 0, 0]],
  boundsS: BOUNDS,
  looks: 0,
};

test("looks of one step are its mean, and their answers its sum", () => {
  let hour = bare;
  for (const [at, requests] of [
    [1010.2, 4],
    [1011.2, 8],
    [1014.9, 6],
  ] as const) {
    hour = extended(hour, { at, values: { requests }, latency: [0, 1, 0] });
  }
  expect(hour.times).toEqual([1000, 1005, 1010]);
  expect(hour.lines.requests).toEqual([1, 2, 6]);
  expect(hour.latency.at(-1)).toEqual([0, 3, 0]);
  hour = extended(hour, { at: 1015, values: { requests: 1 }, latency: null });
  expect(hour.lines.requests).toEqual([1, 2, 6, 1]);
});

test("the step that still ran when it was told has the rates of now, and all its answers", () => {
  const hour = extended(bare, { at: 1006, values: { requests: 9 }, latency: [0, 2, 0] });
  expect(hour.lines.requests).toEqual([1, 9]);
  expect(hour.latency.at(-1)).toEqual([1, 2, 0]);
});

test("a look at what is long over changes nothing", () => {
  expect(extended(bare, { at: 900, values: { requests: 9 }, latency: null })).toBe(bare);
});

test("steps that nobody saw stay unknown, and a line that begins late was unknown before", () => {
  const hour = extended(bare, { at: 1021, values: { requests: 5, cpu: 1 }, latency: null });
  expect(hour.times).toEqual([1000, 1005, 1010, 1015, 1020]);
  expect(hour.lines.requests).toEqual([1, 2, null, null, 5]);
  expect(hour.lines.cpu).toEqual([null, null, null, null, 1]);
});

test("an hour never grows beyond an hour", () => {
  let hour = serverHour(history([], 720));
  const last = hour.times.at(-1) ?? 0;
  hour = extended(hour, { at: last + 5, values: {}, latency: null });
  expect(hour.times).toHaveLength(720);
  expect(hour.latency).toHaveLength(720);
  expect(hour.lines.cpu).toHaveLength(720);
});

const traffic = (name: string, version: string, requests: number): ModelTraffic => ({
  name,
  version,
  state: "READY",
  requests_per_s: requests,
  errors_per_s: 0,
  rows_per_s: 0,
  p50_s: null,
  p95_s: 0.2,
  p99_s: null,
  waiting: 0,
  resident_bytes: 5,
  cache_hit_rate: null,
});

test("a look at the server is of all processes, one at a model of its versions", () => {
  const process = { kind: "worker", index: 0, pid: 1, memory_bytes: 10, uptime_s: 1 } as const;
  const overview = {
    at: 5,
    requests_per_s: 2,
    processes: [
      { ...process, cpu: 0.25 },
      { ...process, cpu: 0.5 },
    ],
    models: [traffic("a", "1", 1), traffic("a", "2", 3), traffic("b", "1", 9)],
  } as unknown as Overview;
  expect(serverLook(overview).values).toMatchObject({ requests: 2, cpu: 0.75, memory: 20 });
  const { values } = modelLook(overview, "a");
  expect(values).toMatchObject({ "requests 1": 1, "requests 2": 3, "p95 2": 0.2 });
  expect(Object.keys(values)).toHaveLength(16);
});

test("the most active model comes first; versions are ordered as numbers", () => {
  const sorted = byTraffic([
    traffic("b", "1", 0),
    traffic("a", "9", 0),
    traffic("a", "10", 0),
    traffic("c", "1", 2),
  ]);
  expect(sorted.map((each) => `${each.name}${each.version}`)).toEqual(["c1", "a10", "a9", "b1"]);
});

test("the versions with most requests are told apart, the newest first; where equal, the newest", () => {
  const lines = {
    "requests 1": [9, null],
    "requests 2": [0],
    "requests 3": [0],
    "requests 10": [2],
  };
  const hour = { ...bare, lines };
  expect(busiest(hour, 2)).toEqual({ shown: ["10", "1"], others: ["3", "2"] });
  expect(busiest(hour, 3)).toEqual({ shown: ["10", "3", "1"], others: ["2"] });
});

test("lines are summed where at least one knows something", () => {
  expect(
    summed([
      [1, null, null],
      [2, 3, null],
    ]),
  ).toEqual([3, 3, null]);
});

test("latency lines go on for a minute after the last answer", () => {
  const latency = [[0, 4, 0], ...new Array(12).fill([0, 0, 0])] as number[][];
  const times = latency.map((_, at) => 5 * at);
  const { p50 } = latencyLines({ ...bare, times, latency });
  expect(p50[11]).toBeCloseTo(0.055);
  expect(p50[12]).toBeNull();
});
