import './search.css';

import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { search, services as servicesQuery } from '../../api/queries.ts';
import { Answer } from '../../design/answer.tsx';
import { hues } from '../../design/hues.ts';
import { useTitle } from '../../design/use-title.ts';
import { usePlace } from '../../url/location.ts';
import { SearchForm } from './form.tsx';
import { question } from './question.ts';
import { Results } from './results.tsx';
import { ScatterPanel } from './scatter-panel.tsx';

/** Finding traces. The whole search is in the URL. */
export function SearchPage() {
  useTitle('Search');
  const { params } = usePlace();
  const services = useQuery(servicesQuery());
  const names = useMemo(() => services.data?.services.map(({ name }) => name) ?? [], [services.data]);
  const found = useQuery(search(question(params)));
  const colours = useMemo(() => {
    const present = found.data?.traces.flatMap((trace) => trace.services.map(({ name }) => name)) ?? [];
    return hues([...names, ...present]);
  }, [names, found.data]);
  return (
    <div className="search">
      <SearchForm params={params} services={names} />
      <div className="search-found" aria-busy={found.isFetching}>
        <ScatterPanel params={params} />
        <Answer query={found}>{(body) => <Results found={body} params={params} colours={colours} />}</Answer>
      </div>
    </div>
  );
}
