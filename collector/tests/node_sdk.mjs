// Sends one trace with OpenTelemetry's SDK: node_sdk.mjs grpc|http/protobuf|http/json ENDPOINT none|gzip
import { SpanKind, SpanStatusCode, trace, context } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { TracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';

const [protocol, url, compression] = process.argv.slice(2);
const packages = { grpc: 'grpc', 'http/protobuf': 'proto', 'http/json': 'http' };
const { OTLPTraceExporter } = await import(`@opentelemetry/exporter-trace-otlp-${packages[protocol]}`);
const exporter = new OTLPTraceExporter({ url, compression, timeoutMillis: 20_000 });

// an exporter that fails says so only in its log; here it ends the program
const send = exporter.export.bind(exporter);
exporter.export = (spans, done) =>
  send(spans, (result) => {
    if (result.error) throw result.error;
    done(result);
  });

const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'node-shop' }),
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
});
const tracer = provider.getTracer('shop', '1.0');
const order = tracer.startSpan('order', { kind: SpanKind.SERVER, attributes: { 'shop.items': 3 } });
const within = trace.setSpan(context.active(), order);
const charge = tracer.startSpan('charge', { kind: SpanKind.CLIENT }, within);
charge.recordException(new Error('no funds'));
charge.setStatus({ code: SpanStatusCode.ERROR, message: 'no funds' });
charge.end();
order.end();
await provider.shutdown();
