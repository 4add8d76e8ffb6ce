/** The API's schemas under the names that the pages use. Generated from its OpenAPI document by `npm run api`. */
import type { components, operations } from './schema.d.ts';

type Schemas = components['schemas'];

export type AddedLatency = Schemas['AddedLatency'];
export type Attribute = Schemas['Attribute'];
export type ClockSkew = Schemas['ClockSkew'];
export type Comparison = Schemas['Comparison'];
export type Counted = Schemas['Counted'];
export type Finding = Schemas['Finding'];
export type Found = Schemas['Found'];
export type Gap = Schemas['Gap'];
export type Graph = Schemas['Graph'];
export type Group = Schemas['Group'];
export type Ingest = Schemas['Ingest'];
export type Link = Schemas['Link'];
export type LinkCounts = Schemas['LinkCounts'];
export type Operation = Schemas['Operation'];
export type Overview = Schemas['Overview'];
export type Points = Schemas['Points'];
export type Propagation = Schemas['Propagation'];
export type Service = Schemas['Service'];
export type Span = Schemas['Span'];
export type Stats = Schemas['Stats'];
export type Summary = Schemas['Summary'];
export type TailSpan = Schemas['TailSpan'];
export type Trace = Schemas['Trace'];
export type Workload = Schemas['Workload'];

type Answer<Name extends keyof operations> = operations[Name] extends {
  responses: { 200: { content: { 'application/json': infer Body } } };
}
  ? Body
  : never;

export type Services = Answer<'services'>;
export type Operations = Answer<'operations'>;
export type Mesh = Answer<'mesh'>;
export type PropagationReport = Answer<'propagation'>;
