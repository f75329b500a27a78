/** What the server says of its models, by the names that the app uses; see `openapi.json`. */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export type Datatype = Schemas["DType"];

/** A tensor; -1 is a free size, and the first of a whole tensor is that of the batch. */
export type TensorInfo = Schemas["TensorInfo"];

/** One value that a person gives; its shape is that of one row, `[]` for a single value. */
export type FieldInfo = Schemas["FieldInfo"];

export type OutputInfo = Schemas["OutputInfo"];
export type OutputKind = OutputInfo["kind"];

/** A version as it is listed. */
export type Listed = Schemas["ListedModel"];

/** The page of a model as its owner wants it. */
export type AppInfo = Omit<Schemas["AppInfo"], "fixed"> & { fixed: Record<string, Json> };

/** A version with all that is known of it. */
export type ModelInfo = Listed &
  Omit<Schemas["ModelFacts"], "example" | "examples" | "app"> & {
    example: Json;
    examples: Json[];
    app: AppInfo;
  };

/** One row as a person gives it: each field by its name. */
export type Row = Record<string, Json | undefined>;

/** A plain answer for one row. */
export type Answer = Record<string, Json>;

/** What the server does at one moment. */
export type Overview = Schemas["Overview"];
export type Process = Schemas["Process"];
export type ModelTraffic = Schemas["ModelTraffic"];

/** What happened within the last hour. */
export type History = Schemas["History"];
export type TrafficPoint = Schemas["TrafficPoint"];
export type MemoryPoint = Schemas["MemoryPoint"];

/** What runs of a model take. */
export type CostCurves = Schemas["CostCurves"];
export type VersionCost = Schemas["VersionCost"];
export type CostCurve = Schemas["CostCurve"];

export type RecentError = Schemas["RecentError"];

/** A model as its owner sees it. */
export type OwnedAlias = Schemas["OwnedAlias"];
export type OwnedModel = Schemas["OwnedModel"];
export type OwnedVersion = Schemas["OwnedVersion"];
export type AliasMoved = Schemas["AliasMoved"];
